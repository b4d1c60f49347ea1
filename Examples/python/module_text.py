"""Text of modules that may be written: module_text.py DUMP"""

import sys

import kva

with kva.Dump(sys.argv[1]) as dump:
    for module in dump.modules():
        for piece in module["regions"]:
            if piece["kind"].endswith("text"):
                for mapped in dump.ptdump(piece["start"], piece["end"]):
                    if mapped["attributes"]["writable"]:
                        print(f"{module['name']} {mapped['start']:#x}-{mapped['end']:#x}")
