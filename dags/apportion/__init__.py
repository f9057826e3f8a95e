"""Apportion: a personalization-attribution warehouse on DuckDB, dbt, Great Expectations and Airflow."""

__version__ = "0.1.0"
