"""``python -m oracle`` writes the page."""

from oracle.page import PAGE, text

PAGE.write_text(text())
print(f"wrote {PAGE}")
