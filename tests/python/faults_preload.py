"""What the processes that test_faults.py kills have in common, imported once before they fork."""

# ruff: noqa: F401
import logging

import dbt.adapters.duckdb.connections
import dbt.cli.main
import great_expectations.data_context.types.base
import sklearn

from apportion import fit, gates, gx_dialect, load, publish, runner, transform

logging.getLogger().addHandler(logging.NullHandler())
