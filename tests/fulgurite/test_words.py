from fulgurite.words import options


def test_every_word_is_told_with_its_value_and_lost_by_nobody():
    words = ["fit", "--run", "runs/a", "--seed=3", "--dry", "--lr", "-1", "-c", "my.yaml", "--last"]
    found = list(options(words))
    assert found == [
        ("fit", "", ["fit"]),
        ("--run", "runs/a", ["--run", "runs/a"]),
        ("--seed", "3", ["--seed=3"]),
        ("--dry", "", ["--dry"]),
        ("--lr", "-1", ["--lr", "-1"]),
        ("-c", "my.yaml", ["-c", "my.yaml"]),
        ("--last", "", ["--last"]),
    ]
    assert [word for _, _, used in found for word in used] == words
