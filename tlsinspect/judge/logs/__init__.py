"""What logs come to. Text proves nothing: `rules` is a table of its own, and no row of it is more than `likely`.

`assess` judges one failure; the others say what many come to: `conclude`, `advice`, `commands` and `ticket`.
"""
