"""The decoder trainer's package: it meets the rest at the Parquet shards and the manifest."""
