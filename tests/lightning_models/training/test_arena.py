import torch

from lightning_models.training import arena
from lightning_models.training.arena import Arena


def test_copies_are_those_of_the_tensors_and_lie_apart():
    tensors = [torch.rand(3, 5), torch.arange(7), torch.tensor(2.5), torch.rand(4, 6).double().T, torch.ones(2) > 0]
    place = Arena()
    copies = [place.keep(one) for one in tensors]
    assert all(torch.equal(one, copy) and one.dtype == copy.dtype for one, copy in zip(tensors, copies, strict=True))
    assert torch.equal(place.keep(torch.empty(0, 3)), torch.empty(0, 3))


def test_many_lie_in_few_blocks_and_one_larger_than_a_block_in_its_own(monkeypatch):
    monkeypatch.setattr(arena, "LARGEST", 4 * arena.SMALLEST)
    place = Arena()
    copies = [place.keep(torch.full((1000,), float(number))) for number in range(3000)]
    blocks = {copy.untyped_storage().data_ptr(): copy.untyped_storage().nbytes() for copy in copies}
    assert [size // arena.SMALLEST for size in blocks.values()] == [1, 2, 4, 4, 4]
    assert all((copy == number).all() for number, copy in enumerate(copies))
    assert place.keep(torch.zeros(2 * arena.LARGEST)).untyped_storage().nbytes() == 8 * arena.LARGEST


def test_what_is_given_back_is_used_again():
    place = Arena()
    first, second = place.keep(torch.rand(100)), place.keep(torch.rand(100))
    place.give_back(first)
    third = place.keep(torch.ones(99).bool())  # of another size: elsewhere
    fourth = place.keep(torch.zeros(100))
    assert fourth.data_ptr() == first.data_ptr()
    assert third.data_ptr() > second.data_ptr()
    assert (fourth == 0).all()
