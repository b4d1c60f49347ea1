import pathlib
import sys

CORPUS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CORPUS))
