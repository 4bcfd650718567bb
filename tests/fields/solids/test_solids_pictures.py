"""Bodies from pictures: discs become balls, rectangles cylinders, and bad masks are refused."""

import numpy as np
import pytest

pytest.importorskip("skimage")
pytest.importorskip("manifold3d")

from erlangen.errors import ArgumentError
from erlangen.fields.solids.pictures import extrude, inflate, mirror_axis, raise_depth, revolve, silhouette
from erlangen.fields.solids.repair import examine


def disc(radius=40, size=100, at=(0.0, 0.0)):
    rows, columns = np.indices((size, size)) - (size - 1) / 2
    return (rows - at[0]) ** 2 + (columns - at[1]) ** 2 < radius**2


def rectangle(tall=60, wide=30, size=100):
    mask = np.zeros((size, size), dtype=bool)
    mask[(size - tall) // 2 : (size + tall) // 2, (size - wide) // 2 : (size + wide) // 2] = True
    return mask


def test_a_disc_becomes_a_ball():
    ball = inflate(disc(40), 0.08)
    assert ball.volume == pytest.approx(4 / 3 * np.pi * 0.04**3, rel=0.03)
    assert ball.extents.numpy() == pytest.approx([0.08] * 3, rel=0.03)
    assert examine(ball).sound
    flat = inflate(disc(40), 0.08, thickness=0.5)
    assert flat.volume == pytest.approx(ball.volume / 2, rel=0.02)


def test_front_and_back_are_mirror_images():
    points = inflate(disc(30, at=(4, 7)) | disc(20, at=(-20, 3)), 0.1).vertices.numpy()
    points = points - [0, points[:, 1].mean(), 0]
    from scipy.spatial import cKDTree

    # Marching cubes answers in single precision.
    assert cKDTree(points).query(points * [1, -1, 1])[0].max() < 1e-7


def test_right_and_up_are_kept():
    mask = np.zeros((60, 60), dtype=bool)
    mask[10:50, 10:20] = True
    mask[10:20, 10:45] = True  # a foot at the top, to the right
    for body in (inflate(mask, 0.04), extrude(mask, 0.04, 0.01)):
        middle = body.vertices.mean(0)
        high = body.vertices[:, 2] > 0.033
        assert float(body.vertices[high, 0].max()) > float(body.vertices[~high & (body.vertices[:, 2] < 0.025), 0].max()) + 0.01
        assert float(middle[2]) > 0.018
        assert float(body.extents[2]) == pytest.approx(0.04, rel=0.05)


def test_a_rectangle_becomes_a_cylinder():
    body, axis = revolve(rectangle(), 0.06)
    assert axis.score > 0.99
    assert abs(axis.angle) < 0.5
    assert body.volume == pytest.approx(np.pi * 0.015**2 * 0.06, rel=0.02)
    assert examine(body).sound


@pytest.mark.parametrize("angle", [-35, 20, 50])
def test_a_tilted_axis_is_found(angle):
    from scipy.ndimage import rotate

    bottle = rectangle(70, 30, 160) | np.pad(rectangle(20, 12, 60), ((10, 90), (50, 50)))
    tilted = rotate(bottle.astype(float), angle, reshape=False, order=1) > 0.5
    axis = mirror_axis(tilted)
    assert axis.score > 0.95
    assert axis.angle == pytest.approx(angle, abs=1.0)
    body, _ = revolve(tilted, 0.1)
    assert examine(body).closed


def test_plates_and_reliefs():
    plate = extrude(rectangle(), 0.06, 0.005)
    assert plate.volume == pytest.approx(0.06 * 0.03 * 0.005, rel=0.02)
    assert examine(plate).sound
    ramp = np.tile(np.linspace(0, 1, 100), (100, 1))
    relief = raise_depth(ramp, rectangle(), 0.06, relief=0.01, base=0.01)
    assert relief.volume == pytest.approx(0.06 * 0.03 * 0.015, rel=0.06)
    assert examine(relief).sound


def test_silhouettes_by_otsu_and_transparency(tmp_path):
    from PIL import Image

    thing = disc(30)
    grey = np.where(thing, 40, 220).astype(np.uint8)
    for picture in (grey, 255 - grey, np.dstack([grey] * 3)):
        assert (silhouette(picture) == thing).all()
    Image.fromarray(grey).save(tmp_path / "a.png")
    assert (silhouette(tmp_path / "a.png") == thing).all()
    Image.fromarray(np.dstack([grey] * 3 + [thing.astype(np.uint8) * 255])).save(tmp_path / "b.png")
    assert (silhouette(tmp_path / "b.png") == thing).all()
    crumbs = grey.copy()
    crumbs[2:4, 2:4] = 40
    assert (silhouette(crumbs) == thing).all()


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (np.zeros((20, 20), dtype=bool), "empty mask"),
        (disc(60), "touches the top border"),
        (np.ones((20, 20)), "one colour"),
        (np.full((20, 20), np.nan), "finite"),
        (np.ones((3, 3, 3, 3)), "finite values"),
    ],
)
def test_bad_masks_are_refused(mask, said):
    with pytest.raises(ArgumentError, match=said):
        inflate(silhouette(mask), 0.1)


def test_bad_sizes_are_refused():
    with pytest.raises(ArgumentError, match="'height'"):
        inflate(disc(), 0.0)
    with pytest.raises(ArgumentError, match="'depth'"):
        extrude(disc(), 0.1, -1.0)
    with pytest.raises(ArgumentError, match="'picture'"):
        silhouette("a.txt")


def test_the_horse_of_scikit_image():
    from skimage.data import horse

    body = inflate(~horse(), 0.2)
    assert float(body.extents[2]) == pytest.approx(0.2, rel=0.03)
    assert examine(body).closed
