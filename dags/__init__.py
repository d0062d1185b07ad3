"""Airflow DAGs that call the command line; they import none of joeira's packages."""
