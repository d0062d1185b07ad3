"""The heuristic families of the field, each with the definitions under which it is known.

The same rule has different arithmetic in different code bases (field study: one sentence repeated once has a
"duplicate 10-gram fraction" of 0.28, 0.51 or 1.00). So a family is a module, and a definition in it a name:
``gopher_repetition`` as ``gopher_datatrove``, ``gopher_dclm`` or ``gopher_dolma``.
"""
