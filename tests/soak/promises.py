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
from tests.soak.ranks import RANKS
from tests.soak.two_at_once import TWO_AT_ONCE
from tests.soak.wrong_values import WRONG_VALUES

PROMISES: tuple[Promise, ...] = (
    *(CRASH, EXACT_RESUME, RANKS, TWO_AT_ONCE, NETWORK, DISK, MEMORY, WRONG_VALUES),
    *(NUMBERS, BROKEN_FILES, HOSTILE_FILES),  # behind those that fork: decoders leave threads
)
