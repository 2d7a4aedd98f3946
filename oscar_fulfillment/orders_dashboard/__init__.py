"""Oscar's orders dashboard, forked: the order list, the order page, bulk steps."""
