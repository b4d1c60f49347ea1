"""Regions that only one of two dumps has, or that moved: compare_layouts.py BEFORE AFTER"""

import sys

import kva


def regions(path):
    with kva.Dump(path) as dump:
        return [f"{region['name']} {region['start']:#x}-{region['end']:#x}" for region in dump.regions()]


try:
    before, after = map(regions, sys.argv[1:])
except kva.KvaError as error:
    sys.exit(f"{sys.argv[0]}: {error}")
for region in before:
    if region not in after:
        print("-", region)
for region in after:
    if region not in before:
        print("+", region)
