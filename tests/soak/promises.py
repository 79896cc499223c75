"""All promises, in the order in which they are tried."""

from tests.soak.numbers import NUMBERS
from tests.soak.promise import Promise

PROMISES: tuple[Promise, ...] = (NUMBERS,)
