from __future__ import annotations

import pytest

from tlkit.dataset.records import Rejected
from tlkit.dataset.sources.image_paths import Images


def find(root, files, named, file="notes/1.json", **options):
    allow = options.pop("allow_outside", False)
    index = Images(root, [*files, file], allow_outside=allow)
    return index.find(named, file, **options)


def reason(found) -> str:
    assert isinstance(found, Rejected)
    assert found.file == "notes/1.json"
    return found.reason


@pytest.mark.parametrize(
    ("named", "path"),
    [
        ("x.png", "notes/x.png"),
        ("./x.png", "notes/x.png"),
        ("../images/x.png", "images/x.png"),
        ("..\\images\\x.png", "images/x.png"),
        ("./../images//x.png", "images/x.png"),
        # from the root, where from the annotation's folder there is none
        ("images/x.png", "images/x.png"),
        ("images\\x.png", "images/x.png"),
    ],
)
def test_the_file_that_it_leads_to(tmp_path, named, path):
    files = ["notes/x.png", "images/x.png", "x.png", "notes/1.png"]
    assert find(tmp_path, files, named) == path


def test_first_from_the_folder_of_the_annotation(tmp_path):
    files = ["a/x.png", "notes/a/x.png"]
    assert find(tmp_path, files, "a/x.png") == "notes/a/x.png"


def test_then_the_image_of_the_annotations_own_name(tmp_path):
    files = ["notes/1.jpg", "elsewhere/gone.png"]
    assert find(tmp_path, files, "gone.png") == "notes/1.jpg"
    assert find(tmp_path, files, "") == "notes/1.jpg"
    two = find(tmp_path, ["notes/1.jpg", "notes/1.png"], "gone.png")
    assert reason(two) == "image-ambiguous"
    # a file of the name that is not an image does not count
    assert reason(find(tmp_path, ["notes/1.txt"], "gone.png")) == "image-missing"


def test_then_the_one_file_whose_path_has_that_end(tmp_path):
    assert find(tmp_path, ["a/b/x.png"], "gone/x.png") == "a/b/x.png"
    files = ["a/b/x.png", "a/c/x.png", "d/b/x.png"]
    assert find(tmp_path, files, "/old/a/c/x.png") == "a/c/x.png"
    assert find(tmp_path, files, "/old/a/b/x.png") == "a/b/x.png"
    assert reason(find(tmp_path, files, "gone/b/x.png")) == "image-ambiguous"
    assert reason(find(tmp_path, files, "x.png")) == "image-ambiguous"


def test_then_the_one_image_of_its_name_but_for_the_suffix(tmp_path):
    assert find(tmp_path, ["a/x.jpeg"], "gone/x.png") == "a/x.jpeg"
    assert reason(find(tmp_path, ["a/x.txt"], "gone/x.png")) == "image-missing"
    found = find(tmp_path, ["a/x.jpeg", "b/x.bmp"], "gone/x.png")
    assert reason(found) == "image-missing"


def test_names_of_another_machine(tmp_path):
    for named in ("/home/ann/photos/x.png", "D:\\ann\\x.png", "d:/x.png"):
        assert find(tmp_path, ["photos/x.png"], named) == "photos/x.png"


@pytest.mark.parametrize("allow_outside", [False, True])
@pytest.mark.parametrize("named", ["{}/a/x.png", "../../{}/a/x.png", "{}/b/../a/x.png"])
def test_names_that_lead_back_into_the_source(tmp_path, named, allow_outside):
    root = tmp_path / "source"
    (root / "a").mkdir(parents=True)
    (root / "a" / "x.png").write_bytes(b"")
    named = named.replace("{}", "source" if named.startswith(".") else str(root))
    files = ["a/x.png", "b/x.png", "notes/x.png"]
    found = find(root, files, named, allow_outside=allow_outside)
    assert found == "a/x.png"


def test_the_annotation_itself_is_not_an_image(tmp_path):
    assert reason(find(tmp_path, [], "1.json")) == "image-missing"
    assert reason(find(tmp_path, [], "")) == "image-missing"


def test_the_image_inside_the_annotation(tmp_path):
    assert find(tmp_path, [], "gone.png", embedded=True) == "notes/1.json"
    assert find(tmp_path, [], "1.json", embedded=True) == "notes/1.json"
    assert find(tmp_path, ["notes/x.png"], "x.png", embedded=True) == "notes/x.png"
    index = Images(tmp_path, ["notes/1.json", "a/x.png", "a/y.png", "b/y.png"])
    assert index.find("../x.png", "notes/1.json", embedded=True) == "notes/1.json"
    assert index.find("../y.png", "notes/1.json", embedded=True) == "notes/1.json"
    assert index.annotation_of == {"a/x.png": "notes/1.json"}


def test_found_images_are_listed_with_their_annotation(tmp_path):
    index = Images(tmp_path, ["notes/1.json", "notes/x.png", "notes/y.png"])
    index.find("x.png", "notes/1.json")
    index.find("none.png", "notes/2.json")
    assert index.annotation_of == {"notes/x.png": "notes/1.json"}


@pytest.mark.parametrize(
    "named",
    [
        "../../secret.png",
        "../../etc/passwd",
        "..\\..\\secret.png",
        "a/../../../secret.png",
        "{}/secret.png",
        "C:\\secret.png",
        "../..",
        "/",
    ],
)
def test_files_outside_are_not_used(tmp_path, named):
    (tmp_path / "secret.png").write_bytes(b"")
    (tmp_path / "source").mkdir()
    named = named.replace("{}", str(tmp_path))
    found = find(tmp_path / "source", ["notes/2.png"], named)
    assert reason(found) == "outside-source"
    assert "--allow-outside" in found.detail


@pytest.mark.parametrize("named", ["../../secret.png", "{}/secret.png"])
def test_outside_that_is_allowed(tmp_path, named):
    (tmp_path / "secret.png").write_bytes(b"")
    (tmp_path / "source").mkdir()
    named = named.replace("{}", str(tmp_path))
    found = find(tmp_path / "source", ["notes/1.png"], named, allow_outside=True)
    assert isinstance(found, str)
    assert (tmp_path / "source" / found).samefile(tmp_path / "secret.png")


@pytest.mark.parametrize(
    "named",
    [
        "/none/x.png",
        "../../x.png",
        "C:\\x.png",
        "/" + "x" * 5000,
        "/a\0b",
        "/",
        "/\udcff.png",
    ],
)
def test_outside_is_allowed_but_nothing_is_there(tmp_path, named):
    (tmp_path / "source").mkdir()
    found = find(tmp_path / "source", [], named, allow_outside=True)
    assert reason(found) == "outside-source"
    assert "--allow-outside" not in found.detail
    # another machine's name of a file that is there
    found = find(tmp_path / "source", ["a/x.png"], "/no/x.png", allow_outside=True)
    assert found == "a/x.png"


@pytest.mark.parametrize(
    "named", ["a\0b.png", "x" * 5000, "\ud800.png", "\n", ".", "//"]
)
def test_names_that_no_file_can_have(tmp_path, named):
    assert reason(find(tmp_path, ["a/y.png"], named)) in {
        "image-missing",
        "outside-source",
    }


def test_an_image_with_an_annotation_of_its_own_is_not_taken(tmp_path):
    files = ["a/x.jpg", "a/x.json", "b/y.jpg"]
    assert reason(find(tmp_path, files, "old/x.jpg")) == "image-missing"
    assert find(tmp_path, files, "old/y.jpg") == "b/y.jpg"
    assert find(tmp_path, files, "old/x.jpg", shared=True) == "a/x.jpg"


def test_an_image_outside_that_is_there_is_meant_and_not_another(tmp_path):
    (tmp_path / "x.jpg").touch()
    root = tmp_path / "source"
    root.mkdir()
    found = find(root, ["b/x.jpg"], "../../x.jpg")
    assert reason(found) == "outside-source"
    absolute = find(root, ["b/x.jpg"], str(tmp_path / "x.jpg"))
    assert reason(absolute) == "outside-source"
    assert find(root, ["b/x.jpg"], "../../gone/x.jpg") == "b/x.jpg"
