"""``python -m tlsinspect``"""

import sys

from tlsinspect.cli import main

if __name__ == "__main__":
    sys.exit(main())
