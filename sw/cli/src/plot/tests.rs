use super::*;

fn point(x: f64, y: f64) -> PlotPoint {
    PlotPoint {
        x,
        y,
        interval: Some((y - 1.0, y + 1.0)),
    }
}

fn plot(x_axis: Axis, series: Vec<(&str, Vec<PlotPoint>)>) -> Plot {
    let series = series.into_iter().map(|(label, points)| Series {
        label: label.to_owned(),
        points,
        look: None,
    });
    Plot {
        title: "Accuracy over faults".to_owned(),
        x_label: "rate of faulty cells".to_owned(),
        y_label: "accuracy in %".to_owned(),
        x_axis,
        y_from: None,
        series: series.collect(),
    }
}

/// Texts of the drawing, in order.
fn texts(svg: &str) -> Vec<&str> {
    let texts = svg.split("<text").skip(1).map(|text| {
        let (_, text) = text.split_once('>').unwrap();
        text.split_once("</text>").unwrap().0.trim()
    });
    texts.collect()
}

#[test]
fn a_plot_is_one_scalable_document_with_its_words_and_always_the_same() {
    let points = vec![point(1e-3, 90.0), point(0.0, 95.0), point(1e-2, 70.0)];
    let plot = plot(Axis::Log, vec![("plain", points.clone()), ("code", points)]);
    let svg = plot.svg();
    assert_eq!(svg, plot.svg());
    assert!(svg.starts_with("<svg xmlns") && svg.ends_with("</svg>\n"));
    assert_eq!(svg.matches("</svg>").count(), 1);
    let head = svg.split_once('>').unwrap().0;
    assert!(
        head.contains("viewBox") && !head.contains("width="),
        "{head}"
    );
    for text in [
        "Accuracy over faults",
        "rate of faulty cells",
        "accuracy in %",
        "plain",
        "code",
    ] {
        assert!(texts(&svg).contains(&text), "{text}");
    }
    assert!(!svg.contains("#000000"), "ink is the page's");
}

#[test]
fn a_logarithmic_axis_shows_zero_left_of_the_smallest_rate() {
    let points = vec![point(1e-3, 90.0), point(0.0, 95.0), point(1e-2, 70.0)];
    let svg = plot(Axis::Log, vec![("a", points)]).svg();
    let line = svg
        .split("<polyline")
        .find(|p| p.contains("stroke-width=\"2\""));
    let places = line.unwrap().split_once("points=\"").unwrap().1;
    let xs: Vec<i32> = places
        .split_once('"')
        .unwrap()
        .0
        .split_whitespace()
        .map(|place| place.split_once(',').unwrap().0.parse().unwrap())
        .collect();
    assert_eq!(xs.len(), 3);
    let steps = (xs[1] - xs[0], xs[2] - xs[1]);
    assert!(steps.0.abs_diff(steps.1) <= 1, "a step is a decade: {xs:?}");
    let texts = texts(&svg);
    for label in ["0", "1e-3", "1e-2"] {
        assert!(texts.contains(&label), "{label}: {texts:?}");
    }
}

#[test]
fn what_cannot_be_drawn_is_left_out_and_the_rest_is_drawn() {
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300];
    let good = vec![point(1.0, 2.0), point(3.0, 4.0)];
    for axis in [Axis::Linear, Axis::Log] {
        let mut points = good.clone();
        for odd in odd {
            points.extend([point(odd, 99.0), point(99.0, odd), point(odd, odd)]);
        }
        let expected = plot(axis.clone(), vec![("a", good.clone())]).svg();
        assert_eq!(plot(axis.clone(), vec![("a", points)]).svg(), expected);
        let half = PlotPoint {
            interval: Some((f64::NAN, 3.0)),
            ..point(1.0, 2.0)
        };
        assert!(
            plot(axis, vec![("a", vec![half])])
                .svg()
                .contains("<circle")
        );
    }
    let negative = plot(Axis::Log, vec![("a", vec![point(-1.0, 2.0)])]).svg();
    assert!(negative.contains("no point to draw"));
}

#[test]
fn no_number_of_series_and_points_is_too_few_or_too_many() {
    for axis in [Axis::Linear, Axis::Log] {
        for series in [
            vec![],
            vec![("empty", vec![])],
            vec![("zero", vec![point(0.0, 0.0)])],
            vec![("one", vec![point(5.0, 5.0)])],
            vec![("same", vec![point(5.0, 5.0); 3])],
            vec![(
                "long",
                (0..5000).map(|i| point(f64::from(i), 1.0)).collect(),
            )],
        ] {
            assert!(plot(axis.clone(), series).svg().ends_with("</svg>\n"));
        }
        let many = (0..33).map(|i| ("s", vec![point(f64::from(i), 1.0)]));
        let svg = plot(axis, many.collect()).svg();
        assert!(svg.contains("3 more are not drawn"));
    }
}

#[test]
fn foreign_text_is_escaped_and_has_an_end() {
    let label = format!("</svg><script>&\"'\u{1}{}", "x".repeat(1000));
    let mut plot = plot(Axis::Linear, vec![(&label, vec![point(1.0, 1.0)])]);
    plot.title = label.clone();
    let svg = plot.svg();
    assert!(!svg.contains("<script") && !svg.contains('\u{1}'));
    assert_eq!(svg.matches("</svg>").count(), 1);
    assert!(svg.len() < 20_000, "{}", svg.len());
}

/// The places along each line of series, the legend's last.
fn polylines(svg: &str) -> Vec<Vec<(i32, i32)>> {
    let lines = svg.split("<polyline").skip(1);
    let lines = lines.filter(|line| line.contains("stroke-width=\"2\""));
    let place = |place: &str| {
        let (x, y) = place.split_once(',').unwrap();
        (x.parse().unwrap(), y.parse().unwrap())
    };
    let places = lines.map(|line| {
        let (_, places) = line.split_once("points=\"").unwrap();
        let (places, _) = places.split_once('"').unwrap();
        places.split_whitespace().map(place).collect()
    });
    places.collect()
}

#[test]
fn a_line_leaves_the_plot_where_its_axis_starts_and_comes_back() {
    let heights = [90.0, 70.0, 60.0, 90.0];
    let points = (0u32..).map(f64::from).zip(heights);
    let points = points.map(|(x, y)| PlotPoint {
        x,
        y,
        interval: None,
    });
    let mut plot = plot(Axis::Linear, vec![("a", points.collect())]);
    plot.y_from = Some(80.0);
    let svg = plot.svg();
    assert!(texts(&svg).contains(&"80") && !texts(&svg).contains(&"70"));
    let lines = polylines(&svg);
    // The last one is the legend's.
    let [down, up, _] = &lines[..] else {
        panic!("{lines:?}");
    };
    let step = up[1].0 - down[0].0;
    // Half of the way down from 90 to 70, and two thirds of the way up from 60 to 90.
    assert!(
        (2 * 3 * (down[1].0 - down[0].0) - step).abs() <= 6,
        "{lines:?}"
    );
    assert!(
        (9 * (up[0].0 - down[0].0) - 8 * step).abs() <= 9,
        "{lines:?}"
    );
    assert_eq!(down[1].1, up[0].1, "both at 80");
    assert_eq!(
        svg.matches("<circle").count(),
        3,
        "two points and the legend"
    );
}

#[test]
fn names_have_places_and_no_lines_between_them() {
    let names = Axis::Names(vec!["chip 1".to_owned(), "chip 2".to_owned()]);
    let svg = plot(names, vec![("a", vec![point(0.0, 1.0), point(1.0, 2.0)])]).svg();
    assert!(texts(&svg).contains(&"chip 1") && texts(&svg).contains(&"chip 2"));
    assert_eq!(polylines(&svg).len(), 1, "the legend's alone");
}

#[test]
fn a_series_looks_the_same_wherever_it_is_and_colours_that_come_again_are_dashed() {
    let points = vec![point(1.0, 1.0), point(2.0, 2.0)];
    let mut second = plot(Axis::Linear, vec![("a", points.clone())]);
    second.series[0].look = Some(1);
    let both = plot(
        Axis::Linear,
        vec![("z", points.clone()), ("a", points.clone())],
    );
    assert!(both.svg().contains("#D55E00") && second.svg().contains("#D55E00"));
    assert!(!second.svg().contains("#0072B2"));
    let mut eighth = second.clone();
    eighth.series[0].look = Some(7);
    assert!(polylines(&eighth.svg()).len() > 2 * polylines(&second.svg()).len());
}
