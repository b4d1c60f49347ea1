"""What the pointers on standard input, one per line, point to: resolve_pointers.py DUMP < POINTERS"""

import sys

import kva


def main(path):
    with kva.Dump(path) as dump:
        for answer in dump.resolve_many(line.strip() for line in sys.stdin):
            physical = answer.get("physical")
            print(answer["query"], answer["status"] if physical is None else hex(physical))


try:
    main(sys.argv[1])
except kva.KvaError as error:
    sys.exit(f"{sys.argv[0]}: {error}")
