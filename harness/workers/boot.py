"""What a fresh interpreter runs to become a process of ours: ``main`` of a module, with arguments that are texts.

The current folder comes last, so that it cannot shadow us; our package is found by its own path.
"""

from __future__ import annotations

BOOT = """\
import importlib, importlib.util, sys
sys.path[:] = [entry for entry in sys.path if entry] + [""]
root, module, *arguments = sys.argv[1:]
spec = importlib.util.spec_from_file_location(
    "harness", root + "/harness/__init__.py", submodule_search_locations=[root + "/harness"])
sys.modules["harness"] = package = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
importlib.import_module(module).main(*arguments)
"""
