#!/bin/sh
# Values that you have already: of which sort they are, a model of them, and predictions for new events.
#   values.sh "e- e+ > u u~ g" values.npz virtual new.npz predicted.npz
# values.npz: momenta (n, legs, 4) in GeV, virtual (n,), virtual_error (n,) if there are errors.  new.npz: momenta.
set -e
ampcli gen "$1" values.zarr --momenta "$2" --provider "table:$3" --signed
ampcli features values.zarr ratio --base native
ampcli train values.zarr --model ratio --name values --registry registry --epochs "${EPOCHS:-100}" --threads 1
ampcli eval values values.zarr --registry registry
ampcli predict values "$4" "$5" --registry registry
