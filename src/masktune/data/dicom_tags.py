"""What the header of a DICOM file says of the device and of how the image was made (extra `dicom`)."""

import io
import re
from typing import Any

from masktune.data.exif import as_fact

_KINDS = frozenset(("AS", "CS", "DS", "FD", "FL", "IS", "LO", "SH", "SL", "SS", "SV", "UL", "US", "UV"))
"""Value representations (PS3.5, 6.2) of short values. Names of persons, dates, times, unique identifiers,
free text, addresses and everything binary have others."""

_LAST_GROUP = 0x4FFF
"""Behind it come curves, overlays, waveforms and pixels."""

_LEFT_OUT = re.compile(
    r"Address|Telephone|Comment|Description$|History|Operator|Physician|Person|Occupation|Insurance|Religio"
    r"|Residence|Ethnic|Allerg|Alert|SpecialNeeds|BirthName|Email|Investigator|Reviewer|Author"
    r"|^(Issuer|Other|Order|Placer|Filler|Requested|Requesting|Scheduled|Performed|Admission"
    r"|Admitting|Discharge|Visit|Current)"
    r"|^Patient(?!Age$|Sex$|Size$|Weight$|Position$|Orientation$|SexNeutered$|Species)"
    r"|^(AccessionNumber|StudyID|ClinicalTrial(Subject|TimePoint|Protocol)\w*|MedicalRecordLocator"
    r"|BranchOfService|ImageID|AcquisitionID|DetectorID|PlateID|CassetteID|ProtocolName|TimezoneOffset\w*"
    r"|Rows|Columns|BitsStored|HighBit|SpecificCharacterSet|DeidentificationMethod)$"
)
"""What points at a person, an order or a visit (after the Basic Profile of PS3.15, table E.1-1), holds free
text that may, or is a fact of its own. Unlike in that profile device, site, sex and age are kept: they are
what a classifier may lean on."""

_AGE = re.compile(r"(\d{1,3})([DWMY])")
_PER_YEAR = {"D": 365.25, "W": 365.25 / 7, "M": 12, "Y": 1}


def dicom_facts(content: bytes) -> dict[str, str]:
    """Size, bits and mode, and the short elements of the top level by keyword ("DICOM Manufacturer").

    Ages are in years. Without pydicom, nothing.
    """
    try:
        import pydicom
    except ImportError:
        return {}
    read: Any = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True)
    facts = _picture(read)
    if compression := as_fact(getattr(read.file_meta.get("TransferSyntaxUID"), "name", "")):
        facts["DICOM transfer syntax"] = compression
    for tag in list(read.keys()):
        if tag.group <= _LAST_GROUP and not tag.is_private:
            facts |= _element(read, tag)
    return facts


def _picture(read: Any) -> dict[str, str]:
    kind = str(read.get("PhotometricInterpretation", ""))
    found = {
        "width": as_fact(read.get("Columns")),
        "height": as_fact(read.get("Rows")),
        "bit depth": as_fact(read.get("BitsStored")),
    }
    if kind:
        found["mode"] = {"MONO": "grey", "PALE": "palette"}.get(kind[:4], "colour")
    return {name: value for name, value in found.items() if value}


def _element(read: Any, tag: Any) -> dict[str, str]:
    from pydicom.datadict import keyword_for_tag

    name = keyword_for_tag(tag)
    if not name or _LEFT_OUT.search(name):
        return {}
    try:
        element = read[tag]
        if element.VR not in _KINDS or element.VM != 1:
            return {}
        text = _in_years(str(element.value)) if element.VR == "AS" else as_fact(element.value)
    except Exception:  # noqa: BLE001  # Values that break their own rules raise anything; others can be read.
        return {}
    return {f"DICOM {name}": text} if text else {}


def _in_years(age: str) -> str:
    """An age in years: 45 for "045Y", 0.5 for "006M" (PS3.5, table 6.2-1)."""
    match = _AGE.fullmatch(age.strip())
    return as_fact(round(int(match[1]) / _PER_YEAR[match[2]], 2)) if match else ""
