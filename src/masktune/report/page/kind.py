"""Which kind of report it is: may it leave the building?"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """What a report holds of the images."""

    images: bool = True
    """The pictures themselves."""
    names: bool = True
    """File names, paths, what headers say, names of subjects."""

    @classmethod
    def said_by(cls, html: str) -> "Kind | None":
        """Which kind a page of ours says it is; None where it says nothing."""
        kinds = (cls(images=images, names=names) for images in (False, True) for names in (False, True))
        # Text of strangers is escaped, so that none can bring these tags.
        return next((kind for kind in kinds if f"<span>{kind.sentence}</span>" in html), None)

    @property
    def may_leave(self) -> bool:
        """Neither pictures nor names."""
        return not (self.images or self.names)

    @property
    def sentence(self) -> str:
        """What it says of itself at the top."""
        if self.may_leave:
            return (
                "This report may leave the building: it has no pictures, file names, paths, EXIF values or "
                "names of subjects. Names of classes and of columns are kept."
            )
        if self.names:
            return (
                "This report contains pictures and file names. Treat it as you treat the images."
                if self.images
                else "This report contains file names, but no pictures."
            )
        return "This report contains pictures, but no file names, paths, EXIF values or names of subjects."
