"""Areas that nothing may see."""
