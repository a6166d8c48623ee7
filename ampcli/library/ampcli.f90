! libampcli for Fortran: the functions of ampcli.h, which documents them.
!
!   use ampcli
!   type(ampcli_model) :: model
!   if (ampcli_open('ee4/model.bundle', model) /= AMPCLI_OK) stop ampcli_last_error()
!
! Momenta are momenta(4, legs, n): E, px, py, pz in GeV, incoming legs first.  A model may be used by many threads.
module ampcli
  use, intrinsic :: iso_c_binding
  implicit none
  private

  integer, parameter, public :: AMPCLI_OK = 0, AMPCLI_BAD_ARGUMENT = 1, AMPCLI_BAD_FILE = 2, AMPCLI_NO_MEMORY = 3, &
                                AMPCLI_NO_EXACT = 4
  integer, parameter, public :: AMPCLI_NOT_PHYSICAL = 1, AMPCLI_OUTSIDE = 2, AMPCLI_EXACT = 4
  public :: ampcli_open, ampcli_info, ampcli_evaluate, ampcli_exact_amplitude, ampcli_evaluate_or_exact, ampcli_close, &
            ampcli_last_error

  type, public :: ampcli_model
    private
    type(c_ptr) :: handle = c_null_ptr
  end type

  type, public :: ampcli_model_info
    character(len=:), allocatable :: name, process, kind, digest, instructions
    integer(c_int32_t), allocatable :: pdg(:)
    real(c_double), allocatable :: masses(:)
    real(c_double) :: sqrt_s = 0, alpha_s = 0
    integer :: legs = 0, alpha_s_power = 0
    logical :: has_exact = .false.
  end type

  type, bind(C) :: c_info
    type(c_ptr) :: name, process, kind, digest
    integer(c_int32_t) :: legs
    type(c_ptr) :: pdg, masses
    real(c_double) :: sqrt_s, alpha_s
    integer(c_int32_t) :: alpha_s_power, has_exact
    type(c_ptr) :: instructions
  end type

  interface
    integer(c_int) function c_open(path, model) bind(C, name='ampcli_open')
      import
      character(kind=c_char), intent(in) :: path(*)
      type(c_ptr), intent(out) :: model
    end function
    integer(c_int) function c_get_info(model, info) bind(C, name='ampcli_info')
      import
      type(c_ptr), value :: model
      type(c_info), intent(out) :: info
    end function
    integer(c_int) function c_evaluate(model, n, momenta, alpha_s, amplitude, uncertainty, flags) &
        bind(C, name='ampcli_evaluate')
      import
      type(c_ptr), value :: model, momenta, alpha_s, amplitude, uncertainty, flags
      integer(c_int64_t), value :: n
    end function
    integer(c_int) function c_exact(model, n, momenta, alpha_s, amplitude, flags) bind(C, name='ampcli_exact')
      import
      type(c_ptr), value :: model, momenta, alpha_s, amplitude, flags
      integer(c_int64_t), value :: n
    end function
    integer(c_int) function c_evaluate_or_exact(model, threshold, n, momenta, alpha_s, amplitude, uncertainty, flags) &
        bind(C, name='ampcli_evaluate_or_exact')
      import
      type(c_ptr), value :: model, momenta, alpha_s, amplitude, uncertainty, flags
      real(c_double), value :: threshold
      integer(c_int64_t), value :: n
    end function
    subroutine c_close(model) bind(C, name='ampcli_close')
      import
      type(c_ptr), value :: model
    end subroutine
    type(c_ptr) function c_last_error() bind(C, name='ampcli_last_error')
      import
    end function
    integer(c_size_t) function c_length(text) bind(C, name='strlen')
      import
      type(c_ptr), value :: text
    end function
  end interface

contains

  integer function ampcli_open(path, model) result(code)
    character(len=*), intent(in) :: path
    type(ampcli_model), intent(out) :: model
    code = c_open(trim(path)//c_null_char, model%handle)
  end function

  integer function ampcli_info(model, info) result(code)
    type(ampcli_model), intent(in) :: model
    type(ampcli_model_info), intent(out) :: info
    type(c_info) :: found
    integer(c_int32_t), pointer :: pdg(:)
    real(c_double), pointer :: masses(:)
    code = c_get_info(model%handle, found)
    if (code /= AMPCLI_OK) return
    info%name = text_of(found%name)
    info%process = text_of(found%process)
    info%kind = text_of(found%kind)
    info%digest = text_of(found%digest)
    info%instructions = text_of(found%instructions)
    call c_f_pointer(found%pdg, pdg, [found%legs])
    call c_f_pointer(found%masses, masses, [found%legs])
    info%legs = found%legs
    info%pdg = pdg
    info%masses = masses
    info%sqrt_s = found%sqrt_s
    info%alpha_s = found%alpha_s
    info%alpha_s_power = found%alpha_s_power
    info%has_exact = found%has_exact /= 0
  end function

  ! `alpha_s`, `uncertainty` and `flags` may be left out.
  integer function ampcli_evaluate(model, momenta, amplitude, alpha_s, uncertainty, flags) result(code)
    type(ampcli_model), intent(in) :: model
    real(c_double), intent(in), contiguous, target :: momenta(:, :, :)
    real(c_double), intent(out), contiguous, target :: amplitude(:)
    real(c_double), intent(in), contiguous, target, optional :: alpha_s(:)
    real(c_double), intent(out), contiguous, target, optional :: uncertainty(:)
    integer(c_int32_t), intent(out), contiguous, target, optional :: flags(:)
    code = shape_code(model, momenta, amplitude, alpha_s, uncertainty, flags)
    if (code == AMPCLI_OK) code = c_evaluate(model%handle, size(momenta, 3, c_int64_t), c_loc(momenta), &
      place(alpha_s), c_loc(amplitude), place(uncertainty), place_of_flags(flags))
  end function

  integer function ampcli_exact_amplitude(model, momenta, amplitude, alpha_s, flags) result(code)
    type(ampcli_model), intent(in) :: model
    real(c_double), intent(in), contiguous, target :: momenta(:, :, :)
    real(c_double), intent(out), contiguous, target :: amplitude(:)
    real(c_double), intent(in), contiguous, target, optional :: alpha_s(:)
    integer(c_int32_t), intent(out), contiguous, target, optional :: flags(:)
    code = shape_code(model, momenta, amplitude, alpha_s, flags=flags)
    if (code == AMPCLI_OK) code = c_exact(model%handle, size(momenta, 3, c_int64_t), c_loc(momenta), &
      place(alpha_s), c_loc(amplitude), place_of_flags(flags))
  end function

  integer function ampcli_evaluate_or_exact(model, threshold, momenta, amplitude, alpha_s, uncertainty, flags) &
      result(code)
    type(ampcli_model), intent(in) :: model
    real(c_double), intent(in) :: threshold
    real(c_double), intent(in), contiguous, target :: momenta(:, :, :)
    real(c_double), intent(out), contiguous, target :: amplitude(:)
    real(c_double), intent(in), contiguous, target, optional :: alpha_s(:)
    real(c_double), intent(out), contiguous, target, optional :: uncertainty(:)
    integer(c_int32_t), intent(out), contiguous, target, optional :: flags(:)
    code = shape_code(model, momenta, amplitude, alpha_s, uncertainty, flags)
    if (code == AMPCLI_OK) code = c_evaluate_or_exact(model%handle, threshold, size(momenta, 3, c_int64_t), &
      c_loc(momenta), place(alpha_s), c_loc(amplitude), place(uncertainty), place_of_flags(flags))
  end function

  subroutine ampcli_close(model)
    type(ampcli_model), intent(inout) :: model
    call c_close(model%handle)
    model%handle = c_null_ptr
  end subroutine

  ! After a code that is not AMPCLI_OK; empty where the arrays themselves have wrong shapes.
  function ampcli_last_error() result(text)
    character(len=:), allocatable :: text
    text = text_of(c_last_error())
  end function

  integer function shape_code(model, momenta, amplitude, alpha_s, uncertainty, flags) result(code)
    type(ampcli_model), intent(in) :: model
    real(c_double), intent(in) :: momenta(:, :, :), amplitude(:)
    real(c_double), intent(in), optional :: alpha_s(:), uncertainty(:)
    integer(c_int32_t), intent(in), optional :: flags(:)
    type(c_info) :: info
    integer :: n
    code = c_get_info(model%handle, info)
    if (code /= AMPCLI_OK) return
    n = size(momenta, 3)
    code = AMPCLI_BAD_ARGUMENT
    if (size(momenta, 1) /= 4 .or. size(momenta, 2) /= info%legs .or. size(amplitude) /= n) return
    if (present(alpha_s)) then
      if (size(alpha_s) /= n) return
    end if
    if (present(uncertainty)) then
      if (size(uncertainty) /= n) return
    end if
    if (present(flags)) then
      if (size(flags) /= n) return
    end if
    code = AMPCLI_OK
  end function

  type(c_ptr) function place(values)
    real(c_double), intent(in), contiguous, target, optional :: values(:)
    place = c_null_ptr
    if (present(values)) place = c_loc(values)
  end function

  type(c_ptr) function place_of_flags(values)
    integer(c_int32_t), intent(in), contiguous, target, optional :: values(:)
    place_of_flags = c_null_ptr
    if (present(values)) place_of_flags = c_loc(values)
  end function

  function text_of(text) result(copy)
    type(c_ptr), intent(in) :: text
    character(len=:), allocatable :: copy
    character(kind=c_char), pointer :: letters(:)
    integer :: i, n
    n = int(c_length(text))
    call c_f_pointer(text, letters, [n])
    allocate (character(len=n) :: copy)
    do i = 1, n
      copy(i:i) = letters(i)
    end do
  end function

end module
