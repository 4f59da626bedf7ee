"""What an experiment may try: functions that change samples."""
