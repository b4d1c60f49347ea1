"""What the pointers on standard input, one a line, point to: resolve_pointers.py DUMP < POINTERS"""

import sys

import kva

with kva.Dump(sys.argv[1]) as dump:
    for answer in dump.resolve_many(line.strip() for line in sys.stdin):
        physical = answer.get("physical")
        print(answer["query"], answer["status"] if physical is None else hex(physical))
