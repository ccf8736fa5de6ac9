"""What a scorecard is made of: one file for each kind of number, and the page that shows them."""
