"""The policy: the document, how it is loaded and checked, and what it is compiled into.

Nothing is imported here: `stages` and the doors need single modules of it, and must not pay for
pydantic and YAML, which `document.py` and `load.py` bring.
"""
