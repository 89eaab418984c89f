"""Sheets in, the files of other programs out: one writer a format.

Every writer has

    place(sheet) -> str     where the copy of the picture goes, relative to the folder
    write(folder, sheets, labels) -> list[Loss]     writes all but the pictures
"""
