// Where the shared library lies: interfaces that are given no model take those of its folder.
#pragma once

#include <dlfcn.h>

#include <string>

#ifndef AMPCLI_SPACE
#define AMPCLI_SPACE ampcli
#endif

namespace AMPCLI_SPACE {

// The folder that holds the code at an address; "." where the system does not tell.
inline std::string folder_of(const void* address) {
  Dl_info info;
  if (!dladdr(address, &info) || !info.dli_fname) return ".";
  const std::string path = info.dli_fname;
  const std::size_t end = path.rfind('/');
  return end == std::string::npos ? "." : path.substr(0, end);
}

}  // namespace AMPCLI_SPACE
