"""What ``lightning watch`` makes of live scores: tables, clips, alarms, a line on the screen, a page."""
