"""All promises, in the order in which they are tried."""

from tests.soak.broken_files import BROKEN_FILES
from tests.soak.crash import CRASH
from tests.soak.disk import DISK
from tests.soak.exact_resume import EXACT_RESUME
from tests.soak.hostile_files import HOSTILE_FILES
from tests.soak.memory import MEMORY
from tests.soak.network import NETWORK
from tests.soak.numbers import NUMBERS
from tests.soak.promise import Promise
from tests.soak.wrong_values import WRONG_VALUES

PROMISES: tuple[Promise, ...] = (
    CRASH,
    EXACT_RESUME,
    NUMBERS,
    BROKEN_FILES,
    HOSTILE_FILES,
    WRONG_VALUES,
    DISK,
    NETWORK,
    MEMORY,
)
