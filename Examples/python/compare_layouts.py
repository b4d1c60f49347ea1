"""Regions that only one of two dumps has, or has elsewhere: compare_layouts.py BEFORE AFTER"""

import sys

import kva


def regions(path):
    with kva.Dump(path) as dump:
        return [f"{region['name']} {region['start']:#x}-{region['end']:#x}" for region in dump.regions()]


before, after = map(regions, sys.argv[1:])
for region in before:
    if region not in after:
        print("-", region)
for region in after:
    if region not in before:
        print("+", region)
