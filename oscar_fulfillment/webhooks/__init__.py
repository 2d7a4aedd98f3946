"""What arrives from outside: verified, stored once as the bytes that came, answered, and processed by the workers."""
