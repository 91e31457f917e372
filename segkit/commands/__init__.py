"""What the commands of ``segkit`` do; ``segkit.cli`` lists them."""
