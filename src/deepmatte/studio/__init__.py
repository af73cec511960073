"""The studio: a page on this machine to paint a trimap and watch the cut-out."""
