// A bundle: named arrays and texts in one file, read without copies.  bundle.py documents the format and writes it.
//
//   Storage storage;                       // memory of the right alignment
//   Error error;
//   Bundle bundle;
//   if (!storage.read(path, error) || !bundle.open(storage.data(), storage.size(), error)) return fail(error.text);
//   const double* masses;
//   if (!Folder(bundle, "exact/").array("masses", &masses, {legs}, error)) return fail(error.text);
//
// Nothing here throws, and no content of a file, however wrong, makes it read outside the file.
#pragma once

#include <sys/stat.h>

#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#ifndef AMPCLI_SPACE  // one namespace for each instruction set: a linker must not take code of one for another
#define AMPCLI_SPACE ampcli
#endif

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "bundles are little-endian, and so must the machine be"
#endif

namespace AMPCLI_SPACE {

struct Error {
  char text[256] = "";

  // Keeps a message and returns false, for `return error.is("...")`.
  __attribute__((format(printf, 2, 3))) bool is(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return false;
  }
};

enum class Type : std::uint8_t { text = 0, uint8 = 1, int32 = 2, int64 = 3, float32 = 4, float64 = 5 };

constexpr int TYPES = 6;
constexpr int MAX_RANK = 4;
constexpr std::size_t ALIGNMENT = 64;
constexpr std::size_t MAX_NAME = 128;  // with the zero at its end

inline std::size_t size_of(Type type) {
  constexpr std::size_t sizes[TYPES] = {1, 1, 4, 8, 4, 8};
  return sizes[int(type)];
}

inline const char* name_of(Type type) {
  constexpr const char* names[TYPES] = {"text", "uint8", "int32", "int64", "float32", "float64"};
  return names[int(type)];
}

template <class T> struct TypeOf;
template <> struct TypeOf<std::uint8_t> { static constexpr Type type = Type::uint8; };
template <> struct TypeOf<std::int32_t> { static constexpr Type type = Type::int32; };
template <> struct TypeOf<std::int64_t> { static constexpr Type type = Type::int64; };
template <> struct TypeOf<float> { static constexpr Type type = Type::float32; };
template <> struct TypeOf<double> { static constexpr Type type = Type::float64; };

// CRC-32 of zlib.
inline std::uint32_t checksum(const unsigned char* data, std::size_t size) {
  std::uint32_t table[256];
  for (std::uint32_t i = 0; i < 256; ++i) {
    table[i] = i;
    for (int bit = 0; bit < 8; ++bit) table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xEDB88320u : 0u);
  }
  std::uint32_t sum = ~0u;
  for (std::size_t i = 0; i < size; ++i) sum = table[(sum ^ data[i]) & 255] ^ sum >> 8;
  return ~sum;
}

// One array or text where it lies.
struct View {
  const char* name;
  Type type;
  int rank;
  std::int64_t shape[MAX_RANK];
  const unsigned char* data;  // a text ends with a zero

  std::int64_t elements() const {
    std::int64_t n = 1;
    for (int i = 0; i < rank; ++i) n *= shape[i];
    return n;
  }
};

class Bundle {
 public:
  // Reads a buffer that has to outlive this; everything is checked.
  bool open(const void* data, std::size_t size, Error& error) {
    data_ = static_cast<const unsigned char*>(data), count_ = 0;
    if (!data || reinterpret_cast<std::uintptr_t>(data) % ALIGNMENT) return error.is("the memory is not aligned");
    Header header;
    if (size < sizeof header) return error.is("%zu bytes: too few for a bundle", size);
    std::memcpy(&header, data_, sizeof header);
    if (std::memcmp(header.magic, MAGIC, sizeof header.magic)) return error.is("no bundle of ampcli");
    if (header.version != VERSION)
      return error.is("a bundle of format %u; this library reads %u", unsigned(header.version), unsigned(VERSION));
    if (header.size != size)
      return error.is("%zu bytes instead of %llu: the file is cut off or too long", size, as_long(header.size));
    if (header.checksum != checksum(data_ + CHECKED_FROM, size - CHECKED_FROM))
      return error.is("the checksum is wrong: the file is damaged");
    if (header.count > (size - sizeof header) / sizeof(Entry)) return error.is("more entries than bytes");
    std::size_t names = sizeof header + std::size_t(header.count) * sizeof(Entry);
    if (header.names > size - names) return error.is("names reach beyond the end");
    std::size_t end = names + std::size_t(header.names);
    if (header.names && data_[end - 1]) return error.is("the last name has no end");
    for (std::size_t i = 0; i < std::size_t(header.count); ++i)
      if (!check_entry(i, names, std::size_t(header.names), size, end, error)) return false;
    if (aligned(end) != size) return error.is("bytes that belong to nothing");
    names_ = names, count_ = std::size_t(header.count);
    return true;
  }

  std::size_t count() const { return count_; }

  // The array or text at a place (names ascend).
  View at(std::size_t i) const {
    Entry entry = entry_at(i);
    View view{text_at(names_ + entry.name), Type(entry.type), int(entry.rank), {}, data_ + entry.offset};
    for (int k = 0; k < view.rank; ++k) view.shape[k] = std::int64_t(entry.shape[k]);
    return view;
  }

  bool find(const char* name, View& view) const {
    std::size_t low = 0, high = count_;
    while (low < high) {
      std::size_t middle = low + (high - low) / 2;
      int order = std::strcmp(text_at(names_ + entry_at(middle).name), name);
      if (order == 0) return view = at(middle), true;
      (order < 0 ? low : high) = order < 0 ? middle + 1 : middle;
    }
    return false;
  }

 private:
  struct Header {
    char magic[8];
    std::uint32_t version, checksum;
    std::uint64_t size, count, names, zero[3];
  };
  struct Entry {
    std::uint64_t offset, bytes, shape[MAX_RANK];
    std::uint32_t name;
    std::uint8_t type, rank, zero[2];
    std::uint64_t more;
  };
  static_assert(sizeof(Header) == 64 && sizeof(Entry) == 64, "the layout of bundle.py");

  static constexpr char MAGIC[9] = "\x89" "AMPCLI\n";
  static constexpr std::uint32_t VERSION = 1;
  static constexpr std::size_t CHECKED_FROM = 16;  // what lies before is compared as it is

  static unsigned long long as_long(std::uint64_t n) { return n; }
  static std::size_t aligned(std::size_t n) { return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

  const char* text_at(std::size_t offset) const { return reinterpret_cast<const char*>(data_ + offset); }

  Entry entry_at(std::size_t i) const {
    Entry entry;
    std::memcpy(&entry, data_ + sizeof(Header) + i * sizeof entry, sizeof entry);
    return entry;
  }

  // Payloads lie one after the other, each at the next aligned place: they can neither overlap nor leave holes.
  bool check_entry(std::size_t i, std::size_t names, std::size_t names_size, std::size_t size, std::size_t& end,
                   Error& error) const {
    Entry entry = entry_at(i);
    if (entry.name >= names_size) return error.is("entry %zu has no name", i);
    const char* name = text_at(names + entry.name);  // ends: the last byte of all names is a zero
    std::size_t letters = std::strlen(name);
    if (letters == 0 || letters >= MAX_NAME) return error.is("the name of entry %zu is empty or too long", i);
    if (i > 0 && std::strcmp(text_at(names + entry_at(i - 1).name), name) >= 0)
      return error.is("names do not ascend, or %.100s is there twice", name);
    if (entry.type >= TYPES || entry.rank > MAX_RANK || entry.zero[0] || entry.zero[1] || entry.more)
      return error.is("%.100s has an unknown type", name);
    Type type = Type(entry.type);
    std::uint64_t bytes = size_of(type);
    for (int k = 0; k < MAX_RANK; ++k) {
      if (k >= entry.rank && entry.shape[k]) return error.is("%.100s has a shape of another rank", name);
      if (k >= entry.rank) continue;
      if (entry.shape[k] > size || (entry.shape[k] && bytes > size / entry.shape[k]))
        return error.is("%.100s is larger than the file", name);
      bytes *= entry.shape[k];
    }
    if (type == Type::text) bytes += 1;
    if (entry.bytes != bytes) return error.is("%.100s has another size than its shape", name);
    if (entry.offset != aligned(end) || entry.offset > size || bytes > size - entry.offset)
      return error.is("%.100s lies in a wrong place", name);
    if (type == Type::text && (entry.rank != 1 || std::memchr(data_ + entry.offset, 0, bytes) !=
                                                      static_cast<const void*>(data_ + entry.offset + bytes - 1)))
      return error.is("the text %.100s does not end where it should", name);
    end = std::size_t(entry.offset + bytes);
    return true;
  }

  const unsigned char* data_ = nullptr;
  std::size_t names_ = 0, count_ = 0;
};

// The names of a bundle that begin with a prefix ("reduced/"), or all of them ("").
class Folder {
 public:
  Folder(const Bundle& bundle, const char* prefix) : bundle_(&bundle) {
    std::snprintf(prefix_, sizeof prefix_, "%s", prefix);
  }

  Folder folder(const char* name) const {
    char longer[2 * MAX_NAME];
    std::snprintf(longer, sizeof longer, "%s%s", prefix_, name);
    return {*bundle_, longer};
  }

  bool has(const char* name) const {
    View view;
    return find(name, view);
  }

  bool find(const char* name, View& view) const {
    char full[2 * MAX_NAME];
    std::snprintf(full, sizeof full, "%s%s", prefix_, name);
    return bundle_->find(full, view);
  }

  // An array of the type of T and of a shape, in which a negative number stands for any; and its shape.
  template <class T>
  bool array(const char* name, const T** data, std::initializer_list<std::int64_t> shape, Error& error,
             std::int64_t* found = nullptr) const {
    View view;
    if (!find(name, view)) return error.is("%s%s is missing", prefix_, name);
    if (view.type != TypeOf<T>::type)
      return error.is("%s is %s instead of %s", view.name, name_of(view.type), name_of(TypeOf<T>::type));
    bool fits = view.rank == int(shape.size());
    int k = 0;
    for (std::int64_t wanted : shape) {
      if (!fits) break;
      fits = wanted < 0 || view.shape[k] == wanted, ++k;
    }
    if (!fits) return wrong_shape(view, shape, error);
    for (int i = 0; found && i < view.rank; ++i) found[i] = view.shape[i];
    *data = reinterpret_cast<const T*>(view.data);
    return true;
  }

  template <class T>
  bool number(const char* name, T& value, Error& error) const {
    const T* data = nullptr;
    if (!array(name, &data, {}, error)) return false;
    return value = *data, true;
  }

  bool text(const char* name, const char** value, Error& error) const {
    View view;
    if (!find(name, view)) return error.is("%s%s is missing", prefix_, name);
    if (view.type != Type::text) return error.is("%s is no text", view.name);
    return *value = reinterpret_cast<const char*>(view.data), true;
  }

 private:
  static void write_shape(char* text, std::size_t size, const std::int64_t* shape, int rank) {
    std::size_t at = std::size_t(std::snprintf(text, size, "("));
    for (int i = 0; i < rank && at < size; ++i) {
      const char* comma = i > 0 ? ", " : "";
      at += std::size_t(shape[i] < 0 ? std::snprintf(text + at, size - at, "%sany", comma)
                                     : std::snprintf(text + at, size - at, "%s%lld", comma, (long long)(shape[i])));
    }
    if (at < size) std::snprintf(text + at, size - at, ")");
  }

  static bool wrong_shape(const View& view, std::initializer_list<std::int64_t> shape, Error& error) {
    char is[96], wanted[96];
    write_shape(is, sizeof is, view.shape, view.rank);
    write_shape(wanted, sizeof wanted, shape.begin(), int(shape.size()));
    return error.is("%s has the shape %s instead of %s", view.name, is, wanted);
  }

  const Bundle* bundle_;
  char prefix_[MAX_NAME];
};

// Aligned memory with the content of a file or a buffer.
class Storage {
 public:
  Storage() = default;
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
  ~Storage() { std::free(data_); }

  const unsigned char* data() const { return data_; }
  std::size_t size() const { return size_; }

  bool copy(const void* data, std::size_t size, Error& error) {
    if (!reserve(size, error)) return false;
    if (size) std::memcpy(data_, data, size);
    return true;
  }

  bool read(const char* path, Error& error) {
    struct stat status;  // opening a pipe would wait for somebody who writes
    std::FILE* file = stat(path, &status) == 0 && S_ISREG(status.st_mode) ? std::fopen(path, "rb") : nullptr;
    if (!file) return error.is("%.200s cannot be read", path);
    bool good = std::fseek(file, 0, SEEK_END) == 0;
    long size = good ? std::ftell(file) : -1;
    good = size >= 0 && size <= MAX_FILE && std::fseek(file, 0, SEEK_SET) == 0 && reserve(std::size_t(size), error) &&
           std::fread(data_, 1, std::size_t(size), file) == std::size_t(size);
    std::fclose(file);
    return good || error.is("%.200s cannot be read: it is too large, or the disk fails", path);
  }

 private:
  static constexpr long MAX_FILE = 1L << 36;

  bool reserve(std::size_t size, Error& error) {
    std::free(data_);
    size_ = size;
    data_ = static_cast<unsigned char*>(std::aligned_alloc(ALIGNMENT, (size / ALIGNMENT + 1) * ALIGNMENT));
    return data_ || error.is("out of memory");
  }

  unsigned char* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace AMPCLI_SPACE
