/* The flags of a score, as `metadata.py` defines them for the log. */

export const FLAGS = { alarm: 1, expected: 2, negligible: 4, reported: 8 };

/** Whether a score is an alarm that no stronger alarm explains. */
export const isOwnAlarm = (flag) => Boolean(flag & FLAGS.alarm && flag & FLAGS.reported);

/** Whether a score is an alarm that a stronger, reported alarm explains. */
export const goesAlong = (flag) => Boolean(flag & FLAGS.alarm && !(flag & FLAGS.reported));
