#!/bin/sh
# An amplitude of your own from C: one-loop corrections to e- e+ > u u~ g, as a store.
set -e
here=$(dirname "$0")
cc -O2 -shared -fPIC "$here/eeqqg.c" -o libeeqqg.so -lm
ampcli gen "e- e+ > u u~ g" born.zarr --points 5k --y-cut 0.01 --sqrt-s 91.188 --provider olp:./libeeqqg.so:born
ampcli gen "e- e+ > u u~ g" loop.zarr --points 5k --y-cut 0.01 --sqrt-s 91.188 --provider olp:./libeeqqg.so:finite \
    --parameter mu_r=91.188 --parameter alpha_s=0.118
# One-loop over Born, learned:
ampcli features loop.zarr ratio --base native
ampcli train loop.zarr --model ratio --name k-factor --registry registry --epochs 20 --threads 1
