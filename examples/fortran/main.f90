! Amplitudes of events with libampcli.
!
!   ampcli export "d d~ > z g g" zgg
!   gfortran zgg/ampcli.f90 main.f90 -Lzgg -lampcli -Wl,-rpath,'$ORIGIN/zgg' -o amplitudes
!   ./amplitudes zgg/model.bundle < ../zgg.txt
!
! Each event is one line for each leg, incoming ones first: E px py pz in GeV.
program main
  use, intrinsic :: iso_c_binding
  use, intrinsic :: iso_fortran_env, only: error_unit
  use ampcli
  implicit none
  type(ampcli_model) :: model
  type(ampcli_model_info) :: info
  character(len=1000) :: path
  real(c_double), allocatable :: momenta(:, :, :)
  real(c_double) :: amplitude(1), uncertainty(1)
  integer(c_int32_t) :: flags(1)
  integer :: leg, status

  call get_command_argument(1, path)
  call check(ampcli_open(path, model))
  call check(ampcli_info(model, info))
  print '(a)', '# '//info%process//' ('//info%kind//', '//info%instructions//')'

  allocate (momenta(4, info%legs, 1))
  events: do
    do leg = 1, info%legs
      read (*, *, iostat=status) momenta(:, leg, 1)
      if (status /= 0) exit events
    end do
    call check(ampcli_evaluate(model, momenta, amplitude, uncertainty=uncertainty, flags=flags))
    if (iand(flags(1), AMPCLI_NOT_PHYSICAL) /= 0) then
      print '(a)', 'not physical'
    else
      print '(es24.16e3, a, es9.2)', amplitude(1), ' +- ', uncertainty(1)*amplitude(1)
    end if
  end do events
  call ampcli_close(model)

contains

  subroutine check(code)
    integer, intent(in) :: code
    if (code == AMPCLI_OK) return
    write (error_unit, '(a)') ampcli_last_error()
    stop 1
  end subroutine

end program
