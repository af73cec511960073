"""The studio: a page on this machine where a trimap is painted and the cut-out is watched."""
