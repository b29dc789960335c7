"""One report format per file; a report is made from records alone."""
