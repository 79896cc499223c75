"""Ask torch for memory in huge pages, before it is imported."""

import os

SWITCH = "THP_MEM_ALLOC_ENABLE"
"""Variable of the environment that torch reads at its first allocation on the CPU."""


def use_huge_pages() -> None:
    """Let large tensors lie in huge pages where the system offers them, unless the environment says otherwise.

    A step on the CPU allocates its intermediate results anew every time; handing out small pages for them took a
    quarter of the time (``benchmarks/huge_pages.py``). Has no effect on values, on GPUs, or where there are none.
    """
    os.environ.setdefault(SWITCH, "1")
