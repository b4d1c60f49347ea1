"""Module text that is writable: module_text.py DUMP"""

import sys

import kva


def main(path):
    with kva.Dump(path) as dump:
        for module in dump.modules():
            for piece in module["regions"]:
                if piece["kind"].endswith("text"):
                    for mapped in dump.ptdump(piece["start"], piece["end"]):
                        if mapped["attributes"]["writable"]:
                            print(f"{module['name']} {mapped['start']:#x}-{mapped['end']:#x}")


try:
    main(sys.argv[1])
except kva.KvaError as error:
    sys.exit(f"{sys.argv[0]}: {error}")
