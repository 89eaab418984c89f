"""The files of Pascal VOC about one picture in, its page out; runs in workers.

Masks count where the XML says less: not where it has polygons, nor, if there are only
classes and no objects, where it has boxes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from tlkit.dataset.contents import UnreadableImage
from tlkit.dataset.geometry import BadShape
from tlkit.dataset.sources.page import Page, Rejection
from tlkit.dataset.sources.voc.masks import Classes, joined, read_things
from tlkit.dataset.sources.voc.xml import Annotation, parse_annotation


@dataclass
class Task:
    """The files about one picture, "" for those that there are not.

    Attributes:
        xml: In Annotations.
        kinds: In SegmentationClass.
        objects: In SegmentationObject.
        classes: What the numbers in the masks mean; None where that cannot be read.
    """

    xml: str = ""
    kinds: str = ""
    objects: str = ""
    classes: Classes | None = None


@dataclass(frozen=True)
class Said:
    """What the files about one picture say.

    Attributes:
        page: Without path; None where nothing of them can be used.
        picture: The name of the picture, as the XML has it.
        rejected: What cannot be used.
        masks: Files of masks that are used.
    """

    page: Page | None = None
    picture: str = ""
    rejected: tuple[Rejection, ...] = ()
    masks: tuple[str, ...] = ()


def read_task(root: Path, task: Task) -> Said:
    """Read the files about one picture.

    Args:
        root: The source root.
        task: Which they are.

    Returns:
        What they say.
    """
    told = parse_annotation(root, task.xml) if task.xml else Annotation("")
    if isinstance(told, Rejection):
        return Said(rejected=(told,))
    masks = tuple(file for file in (task.kinds, task.objects) if file)
    file = task.xml or masks[0]
    page = Page("", file, things=told.things, size=told.size)
    rejected = told.rejected
    if masks:
        try:
            page = _with_masks(root, task, page)
        except (UnreadableImage, BadShape) as error:
            reason, detail = (
                (error.reason, error.detail)
                if isinstance(error, UnreadableImage)
                else (error.args[0], f"{error.args[1]}.")
            )
            rejected += tuple(Rejection(file, reason, detail) for file in masks)
            masks = ()
    if not page.things and (told.rejected or not (task.xml or masks)):
        # What could not be understood does not say that nothing is there.
        return Said(rejected=rejected)
    return Said(page, told.picture, rejected, masks)


def _with_masks(root: Path, task: Task, page: Page) -> Page:
    if not task.kinds:
        raise BadShape("no-class-mask", "No SegmentationClass tells what it shows")
    drawn = any(s.kind != "rectangle" for thing in page.things for s in thing.shapes)
    if drawn or (page.things and not task.objects):
        raise BadShape("not-needed", f"{task.xml} tells more of what is on the picture")
    if task.classes is None:
        raise BadShape("no-names", "The names of its classes cannot be read")
    size, masks = read_things(root, task.kinds, task.objects, task.classes)
    if page.size not in {None, size}:
        width, height = page.size or size
        detail = f"{size[0]} x {size[1]} pixels, {task.xml} says {width} x {height}"
        raise BadShape("size-mismatch", detail)
    return replace(page, things=joined(page.things, masks), size=size)
