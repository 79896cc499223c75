import pytest
from lightning.pytorch import LightningDataModule

from datamodules.testable import can_test


class TrainsOnly(LightningDataModule):
    def train_dataloader(self):
        return []


class TestsToo(TrainsOnly):
    __test__ = False  # no class of tests

    def test_dataloader(self):
        return []


class Says(TestsToo):
    __test__ = False

    def __init__(self, says):
        super().__init__()
        self.says = says

    @property
    def can_test(self):
        return self.says


@pytest.mark.parametrize(
    ("data", "expected"),
    [(TrainsOnly(), False), (TestsToo(), True), (Says(True), True), (Says(False), False), (None, True)],
)
def test_a_data_module_says_so_or_has_a_loader(data, expected):
    """None: loaders were given to the trainer."""
    assert can_test(data) is expected
