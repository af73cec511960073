"""Many pictures: folders, lists and globs of them, with a ledger of what is done."""
