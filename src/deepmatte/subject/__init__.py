"""The subject of a picture, found without a trimap.

A segmenter gives a rough mask whose edge is wrong by some pixels. `find_subject` keeps the parts
that are the subject. `matte_subject` mattes them within a band that fits the picture.

Example:
    mask = deepmatte.find_subject("photo.jpg")                    # (H, W), 0..1
    matte = deepmatte.matte_subject("photo.jpg")
    matte = deepmatte.matte_subject("photo.jpg", points=[(120, 300)])
"""

from deepmatte.subject.find import Subject, find_subject, look_for_subject
from deepmatte.subject.fit import fit_trimap, mask_trimap, matte_mask, matte_subject

__all__ = [
    "Subject",
    "find_subject",
    "fit_trimap",
    "look_for_subject",
    "mask_trimap",
    "matte_mask",
    "matte_subject",
]
