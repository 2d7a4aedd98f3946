"""Files that tell of parcels: tracking codes as CSV, occurrences as Proceda OCOREN. Text in, plain data out."""
