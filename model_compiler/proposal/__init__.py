"""What an unknown export is: a recipe for it, with the reason for everything assumed."""
