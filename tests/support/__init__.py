"""What tests share: real services on free ports, and the list of the system packages behind them."""
