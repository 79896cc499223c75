import cv2
import numpy as np

from callbacks.course_plot import draw_course


def write(folder, columns, rows):
    lines = [",".join(columns), *(",".join(map(str, row)) for row in rows)]
    (folder / "metrics.csv").write_text("\n".join(lines) + "\n")


def height(path):
    return cv2.imread(str(path)).shape[0]


def test_one_panel_for_every_kind_of_number_that_was_logged(tmp_path):
    health = [f"train/health/{name}" for name in ("real", "reconstruction", "sample", "accuracy")]
    # rows of validations have no losses
    rows = [(9, 0.5, 0.4, 0.3, 0.7, ""), (9, "", "", "", "", 21.0), (19, 0.6, 0.4, 0.2, 0.8, "")]
    write(tmp_path, ["step", *health, "val/psnr"], rows)
    path = draw_course(tmp_path)
    assert path == tmp_path / "media/course.png"
    two = height(path)
    write(
        tmp_path,
        ["step", *health, "train/discriminator/w1", "train/discriminator/gradient_norm"],
        [(9, 3.0, -1.0, -2.0, 0.7, 5.0, 1.1), (19, 4.0, -3.0, -2.0, 0.8, 4.0, 0.9)],
    )
    assert height(draw_course(tmp_path)) == 2 * two
    assert len(np.unique(cv2.imread(str(path)) @ [1, 1 << 8, 1 << 16])) > 20  # colours


def test_nothing_is_drawn_of_nothing(tmp_path):
    assert draw_course(tmp_path) is None
    write(tmp_path, ["step", "val/psnr"], [(9, 20.0)])
    assert draw_course(tmp_path) is None
    assert not (tmp_path / "media").exists()
